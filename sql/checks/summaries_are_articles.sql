-- Rows that are no article of a settlement: another item, or another title. Grain: one row of the audited version.
-- Inputs: audited, settlements.
SELECT audited.*
FROM audited
LEFT JOIN settlements ON settlements.qid = audited.qid
WHERE settlements.sitelinks[audited.lang] IS DISTINCT FROM audited.requested_title;
