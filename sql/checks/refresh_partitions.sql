-- Table partitions that a release is made of and that are not pinned (is_pinned false), or pinned and no part of it.
-- Grain: one table partition. Inputs: audited, parameters (shards, languages).
WITH shard_names AS (
    SELECT printf('%02x', number) AS shard
    FROM (SELECT unnest(range(CAST((SELECT shards FROM parameters) AS BIGINT))) AS number)
),
wanted AS (
    SELECT unnest(['settlement_classes', 'candidates', 'changed_facts', 'departures']) AS name, '' AS partition
    UNION ALL
    SELECT tables.name, shard_names.shard
    FROM (SELECT unnest(['facts', 'settlements', 'rejections', 'images']) AS name) AS tables
    CROSS JOIN shard_names
    UNION ALL
    SELECT 'summaries', languages.lang || '|' || shard_names.shard
    FROM (SELECT unnest(languages) AS lang FROM parameters) AS languages
    CROSS JOIN shard_names
),
pinned AS (
    SELECT name, partition FROM audited WHERE kind = 'table'
)
SELECT
    coalesce(wanted.name, pinned.name) AS name,
    coalesce(wanted.partition, pinned.partition) AS partition,
    pinned.name IS NOT NULL AS is_pinned
FROM wanted
FULL JOIN pinned ON pinned.name = wanted.name AND pinned.partition = wanted.partition
WHERE wanted.name IS NULL OR pinned.name IS NULL;
