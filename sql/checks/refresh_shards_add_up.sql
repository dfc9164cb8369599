-- The sums over all shards, where candidates are not settlements + rejections. Grain: the release.
-- Inputs: audited.
WITH sums AS (
    SELECT
        coalesce(sum(n_rows) FILTER (name = 'candidates'), 0) AS n_candidates,
        coalesce(sum(n_rows) FILTER (name = 'settlements'), 0) AS n_settlements,
        coalesce(sum(n_rows) FILTER (name = 'rejections'), 0) AS n_rejections
    FROM audited
    WHERE kind = 'table'
)
SELECT n_candidates, n_settlements, n_rejections
FROM sums
WHERE n_candidates <> n_settlements + n_rejections;
