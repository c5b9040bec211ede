SELECT b.id, b.sender, b.flags, b.ret, b.envid, b.codec, b.content
FROM held_body b JOIN unnest($1::int[], $2::text[]) AS w (bucket, id)
    ON b.bucket = w.bucket AND b.id = w.id
