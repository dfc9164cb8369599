-- Articles of settlements in the language of the partition that have no row. Grain: one article.
-- Inputs: audited, settlements, parameters (lang).
SELECT settlements.qid, parameters.lang, settlements.sitelinks[parameters.lang] AS requested_title
FROM settlements
CROSS JOIN parameters
WHERE settlements.sitelinks[parameters.lang] IS NOT NULL AND settlements.qid NOT IN (SELECT qid FROM audited);
