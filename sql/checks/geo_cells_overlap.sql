-- Cells that lie in another cell of their variant, or hold one. Grain: one cell. Inputs: audited.
-- The points of a cell of level l are the ids within its own plus or minus 4 ** (30 - l) - 1.
WITH ranges AS (
    SELECT
        audited.*,
        CAST(CAST('0x' || rpad(cell_token, 16, '0') AS UBIGINT) AS HUGEINT) AS id,
        CAST(power(4, 30 - level) AS HUGEINT) - 1 AS reach
    FROM audited
),
reached AS (
    SELECT
        ranges.*,
        max(id + reach) OVER (
            PARTITION BY variant
            ORDER BY id - reach, id + reach DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS last_before
    FROM ranges
)
SELECT reached.* EXCLUDE (id, reach, last_before)
FROM reached
WHERE last_before >= id - reach;
