-- Cells whose number is not their place in the order of S2, which is that of the tokens as text.
-- Grain: one cell. Inputs: audited.
WITH ordered AS (
    SELECT audited.*, row_number() OVER (PARTITION BY variant ORDER BY cell_token) - 1 AS place
    FROM audited
)
SELECT ordered.*
FROM ordered
WHERE class_id <> place;
