-- name: known
SELECT (SELECT count(*) FROM pmta_server) AS servers, (SELECT count(*) FROM tenant) AS tenants,
    (SELECT count(*) FROM sending_domain) AS domains, (SELECT count(*) FROM api_token) AS tokens;
