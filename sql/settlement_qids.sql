-- settlement_qids: the QIDs of a release's settlements, for what is computed from the QID alone.
-- Grain:   one settlement. Key: qid. Not stored.
-- Inputs:  settlements (versions of the manifest).
SELECT qid FROM settlements ORDER BY CAST(substr(qid, 2) AS BIGINT);
