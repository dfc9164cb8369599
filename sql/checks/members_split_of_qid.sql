-- Rows in another split than their QID decides (`identifiers.split_of`). Grain: one row. Inputs: audited.
WITH drawn AS (
    SELECT
        audited.*,
        CAST('0x' || substr(sha256('mlm/split/1:' || qid), 1, 12) AS BIGINT) / CAST(281474976710656 AS DOUBLE) AS fraction
    FROM audited
)
SELECT drawn.* EXCLUDE (fraction)
FROM drawn
WHERE split <> CASE WHEN fraction < 0.8 THEN 'train' WHEN fraction < 0.9 THEN 'validation' ELSE 'test' END;
