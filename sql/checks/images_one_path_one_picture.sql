-- Paths that rows give different hashes for. Grain: one path. Inputs: audited.
SELECT path, min(qid) AS qid, list(DISTINCT picture_sha256) AS picture_sha256s
FROM audited
WHERE path IS NOT NULL
GROUP BY path
HAVING count(DISTINCT picture_sha256) > 1;
