-- Settlements whose coordinates are not those of a P625 statement on Earth. Grain: one settlement.
-- Inputs: audited, facts, parameters (earth).
SELECT audited.*
FROM audited
ANTI JOIN (
    SELECT qid, statement, lat_deg, lon_deg
    FROM facts
    WHERE property = 'P625' AND globe_qid = (SELECT earth FROM parameters)
) AS places
    ON places.qid = audited.qid AND places.statement = audited.statement
    AND places.lat_deg = audited.lat_deg AND places.lon_deg = audited.lon_deg;
