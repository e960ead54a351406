// What the answers look like: from a row, and as the schema by which Fastify writes them.
const text = { type: 'string' }
const number = { type: 'integer' }
const flag = { type: 'boolean' }
const time = { type: 'string', format: 'date-time' }
const maybe = (type) => ({ ...type, nullable: true })
const list = (items) => ({ type: 'array', items })
const object = (properties) => ({ type: 'object', properties })
const pageOf = (items) => object({ items: list(items), nextCursor: maybe(text) })

const variant = object({ name: text, url: text, contentType: text, width: number, height: number, bytes: number, sha256: text })

const medium = object({
  id: text,
  kind: text,
  status: text,
  failure: maybe(text),
  altText: text,
  width: maybe(number),
  height: maybe(number),
  durationMs: maybe(number),
  blurhash: maybe(text),
  variants: list(variant),
  url: maybe(text),
  contentType: maybe(text),
  bytes: maybe(number),
  sha256: maybe(text)
})

const author = { id: text, username: text, displayName: text, avatarUrl: maybe(text) }

export const post = object({
  id: text,
  author: object(author),
  caption: text,
  tags: list(text),
  mentions: list(text),
  media: list(medium),
  createdAt: time,
  editedAt: maybe(time),
  likeCount: number,
  commentCount: number,
  viewer: object({ liked: flag, saved: flag })
})

export const comment = object({
  id: text,
  postId: text,
  parentId: maybe(text),
  author: object(author),
  text,
  createdAt: time,
  editedAt: maybe(time),
  likeCount: number,
  replyCount: number,
  viewer: object({ liked: flag })
})

export const profile = object({
  ...author,
  bio: text,
  website: maybe(text),
  isPrivate: flag,
  createdAt: time,
  postCount: number,
  followerCount: number,
  followingCount: number,
  avatar: list(variant),
  viewer: object({ follows: text, followedBy: flag, blocks: flag })
})

export const posts = pageOf(post)
export const comments = pageOf(comment)
export const liked = object({ likeCount: number })

const showAuthor = (row) => ({ id: row.author_id, username: row.username, displayName: row.display_name, avatarUrl: row.avatar_url })

export const showPost = (row) => ({
  id: row.id,
  author: showAuthor(row),
  caption: row.caption,
  tags: row.tags,
  mentions: row.mentions,
  media: row.media,
  createdAt: row.created_at,
  editedAt: row.edited_at,
  likeCount: row.like_count,
  commentCount: row.comment_count,
  viewer: { liked: row.liked, saved: row.saved }
})

export const showComment = (row) => ({
  id: row.id,
  postId: row.post_id,
  parentId: row.parent_id,
  author: showAuthor(row),
  text: row.text,
  createdAt: row.created_at,
  editedAt: row.edited_at,
  likeCount: row.like_count,
  replyCount: row.reply_count,
  viewer: { liked: row.liked }
})

export const showProfile = (row) => ({
  id: row.id,
  username: row.username,
  displayName: row.display_name,
  avatarUrl: row.avatar_url,
  bio: row.bio,
  website: row.website,
  isPrivate: row.is_private,
  createdAt: row.created_at,
  postCount: row.post_count,
  followerCount: row.follower_count,
  followingCount: row.following_count,
  avatar: row.avatar,
  viewer: {
    follows: row.accepted === null ? 'no' : row.accepted ? 'yes' : 'requested',
    followedBy: row.followed_by,
    blocks: row.blocks
  }
})

export const showLiked = (row) => ({ likeCount: row.like_count })
