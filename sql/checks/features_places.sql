-- Rows that share their place in the feature store with another. Grain: one row of a block. Inputs: audited.
SELECT encoder, block, block_row, count(*) AS n_rows
FROM audited
GROUP BY ALL
HAVING count(*) > 1;
