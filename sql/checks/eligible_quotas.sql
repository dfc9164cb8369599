-- Countries with more settlements in mlm_irle_gr than are wanted; those outside the EU have eu_country null.
-- Grain: one country of the EU, or code outside. Inputs: audited, quotas (country_code, eu_country, wanted).
SELECT
    quotas.eu_country,
    CASE WHEN quotas.eu_country IS NULL THEN audited.country_code END AS country_code,
    any_value(quotas.wanted) AS wanted,
    count(*) AS n_settlements
FROM audited
LEFT JOIN quotas ON quotas.country_code = audited.country_code
WHERE audited.variant = 'mlm_irle_gr' AND audited.reason IS NULL
GROUP BY ALL
HAVING quotas.eu_country IS NULL OR count(*) > any_value(quotas.wanted);
