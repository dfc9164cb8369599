-- Pinned versions that the lake does not hold (n_stored null), or that have another number of rows.
-- Grain: one table partition. Inputs: audited, stored_versions (checks.probes).
SELECT audited.kind, audited.name, audited.partition, audited.value, audited.n_rows, stored_versions.n_stored
FROM audited
LEFT JOIN stored_versions
    ON stored_versions.name = audited.name AND stored_versions.partition = audited.partition
    AND stored_versions.value = audited.value
WHERE audited.kind = 'table' AND stored_versions.n_stored IS DISTINCT FROM audited.n_rows;
