-- unchanged_items: the candidates whose facts an earlier release holds at the revision that is listed now.
-- Grain:   one candidate. Key: qid. Not stored: it decides whose facts are taken over.
-- Inputs:  candidates, facts (versions of an earlier release).
-- Binds:   $owed (items whose facts are to be asked for anyway: rows of theirs are in quarantine).
-- A candidate without a listed revision, without facts, or with facts that nobody could give is not among them.
WITH known AS (
    SELECT
        qid,
        max(TRY_CAST(value AS BIGINT)) FILTER (property = 'version') AS revision,
        bool_or(property = 'quarantined') AS is_quarantined
    FROM facts
    GROUP BY qid
)
SELECT candidates.qid, candidates.shard
FROM candidates
JOIN known USING (qid)
WHERE candidates.revision = known.revision AND NOT known.is_quarantined AND NOT list_contains($owed, candidates.qid)
ORDER BY CAST(substr(candidates.qid, 2) AS BIGINT);
