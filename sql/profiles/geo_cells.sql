-- geo_cells: one side of the comparison of kept cells in two releases.
-- Grain:   one cell of one variant. Key: variant, cell_token.
-- Inputs:  {side}_geo_cells.
SELECT variant, cell_token, level, n_settlements, mean_lat_deg AS lat_deg, mean_lon_deg AS lon_deg
FROM {side}_geo_cells
