-- Members without a row, rows that are no members, and rows in another cell or split. Grain: one settlement.
-- Inputs: audited, members, parameters (variant).
WITH mine AS (
    SELECT qid, cell_token, class_id, split
    FROM members
    WHERE is_member AND variant = (SELECT variant FROM parameters)
)
SELECT
    coalesce(mine.qid, audited.qid) AS qid,
    mine.qid IS NOT NULL AS is_member,
    audited.qid IS NOT NULL AS is_in_dataset,
    audited.cell_token, mine.cell_token AS cell_token_of_member,
    audited.class_id, mine.class_id AS class_id_of_member,
    audited.split, mine.split AS split_of_member
FROM mine
FULL JOIN audited ON audited.qid = mine.qid
WHERE mine.qid IS NULL
    OR audited.qid IS NULL
    OR audited.cell_token IS DISTINCT FROM mine.cell_token
    OR audited.class_id IS DISTINCT FROM mine.class_id
    OR audited.split <> mine.split;
