-- How each part that mail needs was when it was looked at last: calendar milliseconds.
CREATE TABLE health_check (
    service     text NOT NULL,
    -- which of several; '': there is one
    name        text NOT NULL,
    healthy     boolean NOT NULL,
    detail      text NOT NULL,
    at          bigint NOT NULL,
    since       bigint NOT NULL,
    PRIMARY KEY (service, name)
);
