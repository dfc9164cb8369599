-- Summaries of the partition without a vector. Grain: one text. Inputs: audited, summaries.
SELECT DISTINCT summaries.text_sha256
FROM summaries
ANTI JOIN audited ON audited.text_sha256 = summaries.text_sha256
WHERE summaries.status = 'ok';
