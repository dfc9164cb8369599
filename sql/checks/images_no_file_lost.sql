-- Files that settlements list and that have no row. Grain: one file of one settlement. Inputs: audited, settlements.
WITH listed AS (
    SELECT qid, unnest(images) AS image FROM settlements
)
SELECT listed.qid, listed.image.property AS property, listed.image.file AS file
FROM listed
ANTI JOIN audited ON audited.qid = listed.qid AND audited.file = listed.image.file;
