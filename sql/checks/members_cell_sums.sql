-- Kept cells that count other settlements than name them. Grain: one cell. Inputs: audited, geo_cells.
WITH inside AS (
    SELECT variant, cell_token, count(*) AS n_inside
    FROM audited
    WHERE cell_token IS NOT NULL
    GROUP BY ALL
)
SELECT geo_cells.variant, geo_cells.cell_token, geo_cells.n_settlements, coalesce(n_inside, 0) AS n_inside
FROM geo_cells
LEFT JOIN inside ON inside.variant = geo_cells.variant AND inside.cell_token = geo_cells.cell_token
WHERE geo_cells.n_settlements <> coalesce(n_inside, 0);
