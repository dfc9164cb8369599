-- Candidates in another shard than their QID decides (`identifiers.shard_of`). Grain: one candidate.
-- Inputs: audited, parameters (shards).
WITH placed AS (
    SELECT
        audited.*,
        CAST('0x' || substr(sha256('mlm/shard/1:' || qid), 1, 12) AS BIGINT) / CAST(281474976710656 AS DOUBLE) AS fraction
    FROM audited
),
named AS (
    SELECT
        placed.* EXCLUDE (fraction),
        printf('%02x', CAST(floor(fraction * (SELECT shards FROM parameters)) AS BIGINT)) AS shard_of_qid
    FROM placed
)
SELECT named.*
FROM named
WHERE shard IS DISTINCT FROM shard_of_qid;
