// The service as a project on Fastify and postgres.js would have it: one prepared statement a request, JSON by schema, a process for each
// core. It checks neither tokens nor who may see what: a header says who asks.
import cluster from 'node:cluster'
import { availableParallelism } from 'node:os'
import Fastify from 'fastify'
import postgres from 'postgres'
import { comment, comments, liked, post, posts, profile, showComment, showLiked, showPost, showProfile } from './views.js'

// Statements ask for one more, and say so in their text: for a parameter PostgreSQL would plan as if a tenth of all were wanted.
const limit = 20
// Where the database is, libpq's variables say. Two connections a process are the fastest of one to sixteen: whatever waits is sent at once.
const sql = postgres({ max: 2, connection: { search_path: 'peers' } })

const selectPosts = (viewer) => sql`
  select p.*, a.username, a.display_name, a.avatar_url,
    (select json_agg(json_build_object('id', m.id::text, 'kind', m.kind, 'status', m.status, 'failure', m.failure, 'altText', m.alt_text,
        'width', m.width, 'height', m.height, 'durationMs', m.duration_ms, 'blurhash', m.blurhash, 'variants', m.variants, 'url', m.url,
        'contentType', m.content_type, 'bytes', m.bytes, 'sha256', m.sha256) order by m.position)
      from media m where m.post_id = p.id) as media,
    exists (select from post_like where post_id = p.id and profile_id = ${viewer}) as liked,
    exists (select from save where post_id = p.id and profile_id = ${viewer}) as saved
  from post p join profile a on a.id = p.author_id`

const first = (rows, show, reply) => (rows.length > 0 ? show(rows[0]) : reply.callNotFound())

const page = (rows, show) => ({
  items: rows.slice(0, limit).map(show),
  nextCursor: rows.length > limit ? rows[limit - 1].id : null
})

const answers = (status, schema) => ({ schema: { response: { [status]: schema } } })

const app = Fastify()

app.get('/v1/posts/:id', answers(200, post), async ({ params, headers }, reply) =>
  first(await sql`${selectPosts(headers.viewer)} where p.id = ${params.id}`, showPost, reply)
)

app.get('/v1/feed', answers(200, posts), async ({ headers, query }) => {
  const { viewer } = headers
  const rows = await sql`
    ${selectPosts(viewer)}
    where p.author_id = any(array(select followee_id from follow where follower_id = ${viewer} and accepted union all select ${viewer}))
      and p.id < ${query.cursor ?? '9223372036854775807'}
    order by p.id desc limit 21`
  return page(rows, showPost)
})

app.get('/v1/posts/:id/comments', answers(200, comments), async ({ params, headers, query }) => {
  const rows = await sql`
    select c.*, a.username, a.display_name, a.avatar_url,
      exists (select from comment_like where comment_id = c.id and profile_id = ${headers.viewer}) as liked
    from comment c join profile a on a.id = c.author_id
    where c.post_id = ${params.id} and c.parent_id is null and c.id > ${query.cursor ?? '0'}
    order by c.id limit 21`
  return page(rows, showComment)
})

app.get('/v1/profiles/:username', answers(200, profile), async ({ params, headers }, reply) => {
  const { viewer } = headers
  const rows = await sql`
    select p.*,
      (select accepted from follow where follower_id = ${viewer} and followee_id = p.id) as accepted,
      exists (select from follow where follower_id = p.id and followee_id = ${viewer} and accepted) as followed_by,
      exists (select from block where blocker_id = ${viewer} and blocked_id = p.id) as blocks
    from profile p where username = ${params.username}`
  return first(rows, showProfile, reply)
})

app.post('/v1/posts/:id/comments', answers(201, comment), async ({ params, headers, body }, reply) => {
  const rows = await sql`
    with made as (
      insert into comment (post_id, author_id, text) select id, ${headers.viewer}, ${body.text} from post where id = ${params.id}
      returning *),
    counted as (update post set comment_count = comment_count + 1 from made where post.id = made.post_id)
    select made.*, a.username, a.display_name, a.avatar_url, false as liked from made join profile a on a.id = made.author_id`
  return first(rows, showComment, reply.code(201))
})

app.put('/v1/posts/:id/like', answers(200, liked), async ({ params, headers }, reply) => {
  const rows = await sql`
    with added as (
      insert into post_like (post_id, profile_id) select id, ${headers.viewer} from post where id = ${params.id}
      on conflict do nothing
      returning post_id),
    counted as (update post set like_count = like_count + 1 from added where post.id = added.post_id returning like_count)
    select coalesce((select like_count from counted), like_count) as like_count from post where id = ${params.id}`
  return first(rows, showLiked, reply)
})

app.delete('/v1/posts/:id/like', answers(200, liked), async ({ params, headers }, reply) => {
  const rows = await sql`
    with removed as (delete from post_like where post_id = ${params.id} and profile_id = ${headers.viewer} returning post_id),
    counted as (update post set like_count = like_count - 1 from removed where post.id = removed.post_id returning like_count)
    select coalesce((select like_count from counted), like_count) as like_count from post where id = ${params.id}`
  return first(rows, showLiked, reply)
})

if (cluster.isPrimary) for (let i = 0; i < availableParallelism(); i++) cluster.fork()
else await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
