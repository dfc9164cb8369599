-- Settlements in different splits of different variants. Grain: one settlement. Inputs: audited.
SELECT qid, list(DISTINCT split) AS splits
FROM audited
GROUP BY qid
HAVING min(split) <> max(split);
