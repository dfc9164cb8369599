-- Variants in which members in + members out are not the settlements. Grain: one variant.
-- Inputs: audited, settlements, parameters (variants).
WITH sums AS (
    SELECT
        variant,
        count(*) FILTER (is_member) AS n_in,
        count(*) FILTER (NOT is_member AND reason IS NOT NULL) AS n_out
    FROM audited
    GROUP BY variant
),
wanted AS (
    SELECT unnest(variants) AS variant, (SELECT count(*) FROM settlements) AS n_settlements FROM parameters
)
SELECT wanted.variant, n_settlements, coalesce(n_in, 0) AS n_in, coalesce(n_out, 0) AS n_out
FROM wanted
LEFT JOIN sums ON sums.variant = wanted.variant
WHERE n_settlements <> coalesce(n_in, 0) + coalesce(n_out, 0);
