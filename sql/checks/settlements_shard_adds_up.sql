-- Candidates of the shard that were not decided exactly once, and decisions on what is no candidate.
-- Grain: one item. Inputs: audited, rejections, candidates, parameters (shard).
WITH own AS (
    SELECT qid FROM candidates WHERE shard = (SELECT shard FROM parameters)
),
decided AS (
    SELECT qid, 1 AS n_settlements, 0 AS n_rejections FROM audited
    UNION ALL
    SELECT qid, 0 AS n_settlements, 1 AS n_rejections FROM rejections
),
counted AS (
    SELECT qid, sum(n_settlements) AS n_settlements, sum(n_rejections) AS n_rejections
    FROM decided
    GROUP BY qid
)
SELECT
    coalesce(own.qid, counted.qid) AS qid,
    own.qid IS NOT NULL AS is_candidate,
    coalesce(n_settlements, 0) AS n_settlements,
    coalesce(n_rejections, 0) AS n_rejections
FROM own
FULL JOIN counted ON counted.qid = own.qid
WHERE own.qid IS NULL OR coalesce(n_settlements + n_rejections, 0) <> 1;
