-- Encoders with vectors of several lengths. Grain: one encoder. Inputs: audited.
SELECT encoder, list(DISTINCT dimension) AS dimensions
FROM audited
GROUP BY encoder
HAVING min(dimension) <> max(dimension);
