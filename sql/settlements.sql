-- settlements: candidates that fail no rule, with what the facts say of them.
-- Grain:   one settlement of the shard. Key: qid.
-- Inputs:  verdicts (sql/verdicts.sql, in memory), countries (qid, country_code, country_source; in memory).
SELECT
    qid, label, lat_deg, lon_deg, statement, n_coordinates, class_qids, class_labels, images, sitelinks,
    countries.country_code, countries.country_source, population, revision, modified_at
FROM verdicts
JOIN countries USING (qid)
WHERE len(failed) = 0;
