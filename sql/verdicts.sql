-- verdicts: what the facts of a shard say of each of its candidates, and which rules it fails.
-- Grain:   one candidate of the shard. Key: qid. Not stored: `settlements` and `rejections` are cut from it.
-- Inputs:  candidates, facts (of the shard), settlement_classes.
-- Binds:   $shard, $earth, $languages, $label_languages and $image_properties (lists, in order of preference).
-- Rule for several coordinates: the one whose summed distance to all others is least (an outlier loses);
--          ties, and so every pair, by the statement id. Distances are squared chords, which are symmetric to the bit.
WITH own AS (
    SELECT qid FROM candidates WHERE shard = $shard
),
coordinates AS (
    -- One row per place: a deprecated statement that says the same as the best one must not count twice.
    SELECT
        qid, min(statement) AS statement, lat_deg, lon_deg, globe_qid,
        coalesce(globe_qid = $earth, FALSE) AS is_on_earth,
        coalesce(lat_deg BETWEEN -90 AND 90 AND lon_deg BETWEEN -180 AND 180, FALSE) AS is_in_range
    FROM facts
    WHERE property = 'P625'
    GROUP BY qid, lat_deg, lon_deg, globe_qid
),
globes AS (
    SELECT
        qid,
        list_sort(list(DISTINCT coalesce(globe_qid, 'unknown'))) AS globe_qids,
        bool_or(is_on_earth) AS has_earth,
        bool_or(is_on_earth AND is_in_range) AS has_valid
    FROM coordinates
    GROUP BY qid
),
points AS (
    SELECT
        qid, statement, lat_deg, lon_deg,
        cos(radians(lat_deg)) * cos(radians(lon_deg)) AS x,
        cos(radians(lat_deg)) * sin(radians(lon_deg)) AS y,
        sin(radians(lat_deg)) AS z
    FROM coordinates
    WHERE is_on_earth AND is_in_range
),
remoteness AS (
    SELECT
        a.qid, a.statement, a.lat_deg, a.lon_deg,
        round(sum(power(a.x - b.x, 2) + power(a.y - b.y, 2) + power(a.z - b.z, 2)), 12) AS remote
    FROM points AS a
    JOIN points AS b ON a.qid = b.qid
    GROUP BY ALL
),
chosen AS (
    SELECT
        qid,
        count(*) AS n_coordinates,
        first(struct_pack(statement, lat_deg, lon_deg) ORDER BY remote, statement, lat_deg, lon_deg) AS place
    FROM remoteness
    GROUP BY qid
),
files AS (
    SELECT qid, value AS file, min(list_position($image_properties, property)) AS place
    FROM facts
    WHERE list_contains($image_properties, property)
    GROUP BY qid, value
),
pictures AS (
    SELECT
        qid,
        list(struct_pack(property := $image_properties[place], file) ORDER BY place, file) AS images
    FROM files
    GROUP BY qid
),
articles AS (
    SELECT
        qid,
        map(
            list(lang ORDER BY list_position($languages, lang)),
            list(title ORDER BY list_position($languages, lang))
        ) AS sitelinks
    FROM (SELECT qid, lang, min(value) AS title FROM facts WHERE property = 'sitelink' GROUP BY qid, lang)
    WHERE list_contains($languages, lang)
    GROUP BY qid
),
names AS (
    SELECT qid, first(value ORDER BY list_position($label_languages, lang), value) AS label
    FROM facts
    WHERE property = 'label' AND list_contains($label_languages, lang)
    GROUP BY qid
),
classes AS (
    SELECT
        qid,
        list(class_qid ORDER BY CAST(substr(class_qid, 2) AS BIGINT)) AS class_qids,
        list_sort(list_distinct(list(label) FILTER (label IS NOT NULL))) AS class_labels,
        bool_or(is_listed) AS has_listed
    FROM (
        SELECT
            facts.qid, facts.value AS class_qid, min(facts.label) AS label,
            bool_or(settlement_classes.class_qid IS NOT NULL) AS is_listed
        FROM facts
        LEFT JOIN settlement_classes ON settlement_classes.class_qid = facts.value
        WHERE facts.property = 'P31'
        GROUP BY facts.qid, facts.value
    )
    GROUP BY qid
),
singles AS (
    SELECT
        qid,
        list_sort(list(DISTINCT country_code) FILTER (property = 'P17' AND country_code IS NOT NULL)) AS country_codes,
        max(TRY_CAST(TRY_CAST(value AS DOUBLE) AS BIGINT)) FILTER (property = 'P1082') AS population,
        max(TRY_CAST(value AS BIGINT)) FILTER (property = 'version') AS revision,
        max(value) FILTER (property = 'modified') AS modified_at,
        max(value) FILTER (property = 'quarantined') AS quarantined
    FROM facts
    GROUP BY qid
),
found AS (
    SELECT
        own.qid, names.label, chosen.place, chosen.n_coordinates, globes.globe_qids, globes.has_earth, globes.has_valid,
        classes.class_qids, classes.class_labels, classes.has_listed, pictures.images, articles.sitelinks,
        singles.country_codes, singles.population, singles.revision, singles.modified_at, singles.quarantined,
        singles.qid IS NOT NULL AS has_facts
    FROM own
    LEFT JOIN singles USING (qid)
    LEFT JOIN names USING (qid)
    LEFT JOIN globes USING (qid)
    LEFT JOIN chosen USING (qid)
    LEFT JOIN classes USING (qid)
    LEFT JOIN pictures USING (qid)
    LEFT JOIN articles USING (qid)
)
SELECT
    qid,
    coalesce(label, qid) AS label,
    place.lat_deg AS lat_deg,
    place.lon_deg AS lon_deg,
    place.statement AS statement,
    CAST(n_coordinates AS INTEGER) AS n_coordinates,
    coalesce(class_qids, []) AS class_qids,
    coalesce(class_labels, []) AS class_labels,
    images,
    sitelinks,
    coalesce(country_codes, []) AS country_codes,
    population,
    revision,
    modified_at,
    list_filter([
        CASE WHEN quarantined IS NOT NULL THEN 'quarantined' END,
        CASE WHEN NOT has_facts THEN 'no_facts' END,
        CASE WHEN NOT coalesce(has_listed, FALSE) THEN 'no_settlement_class' END,
        CASE WHEN globe_qids IS NULL THEN 'no_coordinates' END,
        CASE WHEN NOT has_earth THEN 'not_on_earth' END,
        CASE WHEN has_earth AND NOT has_valid THEN 'invalid_coordinates' END,
        CASE WHEN images IS NULL THEN 'no_image' END,
        CASE WHEN sitelinks IS NULL THEN 'no_article' END
    ], lambda rule: rule IS NOT NULL) AS failed,
    to_json(struct_pack(
        class_qids := coalesce(class_qids, []),
        globe_qids := coalesce(globe_qids, []),
        n_images := coalesce(len(images), 0),
        languages := coalesce(map_keys(sitelinks), []),
        quarantined := quarantined
    )) AS evidence
FROM found;
