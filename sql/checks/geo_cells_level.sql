-- Cells whose token is that of another level, or of no cell. Grain: one cell. Inputs: audited.
-- The lowest bit that is set in an S2 id stands at 2 * (30 - level); the first three bits are the face, 0 to 5.
WITH numbered AS (
    SELECT
        audited.*,
        -- Bits below the lowest that is set: four for each digit that the token leaves out, and those of its last one.
        4 * (16 - len(cell_token))
            + CASE
                WHEN right(cell_token, 1) IN ('2', '6', 'a', 'e') THEN 1
                WHEN right(cell_token, 1) IN ('4', 'c') THEN 2
                WHEN right(cell_token, 1) = '8' THEN 3
                ELSE 0
            END AS n_zero_bits
    FROM audited
)
SELECT numbered.* EXCLUDE (n_zero_bits)
FROM numbered
WHERE n_zero_bits <> 2 * (30 - level) OR left(cell_token, 1) >= 'c';
