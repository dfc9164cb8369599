-- Countries that turn settlements away although their quota is not full. Grain: one country of the EU.
-- Inputs: audited, quotas (country_code, eu_country, wanted).
SELECT
    quotas.eu_country,
    any_value(quotas.wanted) AS wanted,
    count(*) FILTER (audited.reason IS NULL) AS n_settlements,
    count(*) FILTER (audited.reason = 'over_quota') AS n_over_quota
FROM audited
LEFT JOIN quotas ON quotas.country_code = audited.country_code
WHERE audited.variant = 'mlm_irle_gr' OR audited.reason = 'over_quota'
GROUP BY quotas.eu_country
HAVING count(*) FILTER (audited.reason = 'over_quota') > 0
    AND (
        quotas.eu_country IS NULL
        OR count(*) FILTER (audited.reason IS NULL) < any_value(quotas.wanted)
        OR count(*) FILTER (audited.variant <> 'mlm_irle_gr') > 0
    );
