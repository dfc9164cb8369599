-- Rows with other coordinates or another country than their settlement. Grain: one row of the audited version.
-- Inputs: audited, settlements.
SELECT audited.*
FROM audited
JOIN settlements ON settlements.qid = audited.qid
WHERE settlements.lat_deg <> audited.lat_deg
    OR settlements.lon_deg <> audited.lon_deg
    OR settlements.country_code IS DISTINCT FROM audited.country_code;
