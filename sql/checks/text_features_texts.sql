-- Texts with a vector that are no summaries of the partition. Grain: one row. Inputs: audited, summaries.
SELECT audited.*
FROM audited
WHERE text_sha256 NOT IN (SELECT text_sha256 FROM summaries WHERE status = 'ok' AND text_sha256 IS NOT NULL);
