import type { CommentDisplayPart } from 'typedoc'

/** The group of an export of the core, by the room of `src/` that it is defined in; the first that fits. */
const ROOMS: readonly (readonly [room: RegExp, group: string])[] = [
  [/^options\/.*Policy$/, 'Policies'],
  [/^options\//, 'Options'],
  [/^client\//, 'Client'],
  [/^call\//, 'Requests and replies'],
  [/^http\//, 'Requests and replies'],
  [/^outcome\/(reply|stand-in)\.ts/, 'Requests and replies'],
  [/^outcome\/circuit-state\.ts/, 'State'],
  [/^outcome\//, 'Errors'],
  [/^events\.ts/, 'Events'],
  [/^upstream\//, 'State'],
  [/^clock\.ts/, 'Time and chance'],
]

/** @throws Error for a room that has no group yet, so that no export is left where nobody looks for it. */
export function groupOf(file: string, name: string): string {
  const group = ROOMS.find(([room]) => room.test(`${file} ${name}`))?.[1]
  if (group === undefined) throw new Error(`${name} of src/${file}: give its room a group in site/groups.ts`)
  return group
}

const PROJECT: readonly string[] = ['CHANGELOG.md', 'CONTRIBUTING.md', 'RELEASING.md', 'SECURITY.md']

/** Says the group of a page, by the part of the README's table of documents in which it stands. */
export function guides(readme: string): (file: string) => string {
  const groups = new Map<string, string>()
  let group = 'Guides'
  for (const line of readme.split('\n')) {
    const heading = /^\|\s*\*\*(.+?)\*\*\s*\|\s*\|$/.exec(line)?.[1]
    if (heading !== undefined) group = heading.charAt(0).toUpperCase() + heading.slice(1)
    else if (line.startsWith('|')) for (const [, file = ''] of line.matchAll(/\]\(([^)#]+\.md)[)#]/g)) groups.set(file, group)
  }
  return file => {
    if (PROJECT.includes(file)) return 'Project'
    return file.startsWith('docs/decisions/') ? 'Decisions' : groups.get(file) ?? 'Guides'
  }
}

/** A page's first heading, without its marks. */
export function titleOf(content: readonly CommentDisplayPart[]): string | undefined {
  return /^# (.+)/.exec(content[0]?.text ?? '')?.[1]?.replaceAll('`', '')
}
