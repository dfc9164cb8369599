-- The hashes of weights, where a model names several. Grain: the model. Inputs: audited.
SELECT list(DISTINCT weights_sha256) AS weights_sha256s
FROM audited
HAVING count(DISTINCT weights_sha256) > 1;
