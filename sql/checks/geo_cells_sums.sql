-- Variants whose cells hold more settlements than are eligible. Grain: one variant. Inputs: audited, eligible.
WITH goes_on AS (
    SELECT variant, count(*) AS n_eligible FROM eligible WHERE reason IS NULL GROUP BY variant
)
SELECT audited.variant, sum(audited.n_settlements) AS n_settlements, coalesce(any_value(n_eligible), 0) AS n_eligible
FROM audited
LEFT JOIN goes_on ON goes_on.variant = audited.variant
GROUP BY audited.variant
HAVING sum(audited.n_settlements) > coalesce(any_value(n_eligible), 0);
