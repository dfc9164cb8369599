-- dataset_countries: the countries of a release, for the table of continents.
-- Grain:   one country. Key: country_code. Not stored.
-- Inputs:  mlm_v2, the widest variant, and the others (a settlement may be in a narrower one alone).
SELECT DISTINCT country_code
FROM (
    SELECT country_code FROM mlm
    UNION ALL
    SELECT country_code FROM mlm_v2
    UNION ALL
    SELECT country_code FROM mlm_irle
    UNION ALL
    SELECT country_code FROM mlm_irle_gr
)
WHERE country_code IS NOT NULL
ORDER BY country_code;
