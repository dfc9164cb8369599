-- macros: what the comparisons of this folder share.
-- km: great-circle distance of two points in kilometres (haversine; a sphere of 6371 km).
CREATE OR REPLACE TEMP MACRO km(lat_a, lon_a, lat_b, lon_b) AS
    2 * 6371 * asin(least(1, sqrt(
        power(sin(radians(lat_b - lat_a) / 2), 2)
        + cos(radians(lat_a)) * cos(radians(lat_b)) * power(sin(radians(lon_b - lon_a) / 2), 2)
    )));
