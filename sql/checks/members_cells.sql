-- Rows that name a cell that was not kept in their variant, or another number for it. Grain: one row.
-- Inputs: audited, geo_cells.
SELECT audited.*
FROM audited
LEFT JOIN geo_cells ON geo_cells.variant = audited.variant AND geo_cells.cell_token = audited.cell_token
WHERE (audited.cell_token IS NOT NULL OR audited.class_id IS NOT NULL)
    AND geo_cells.class_id IS DISTINCT FROM audited.class_id;
