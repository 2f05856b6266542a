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

/** @throws Error for a room that has no group yet, so that no export is left out of the groups. */
export function groupOf(file: string, name: string): string {
  const group = ROOMS.find(([room]) => room.test(`${file} ${name}`))?.[1]
  if (group === undefined) throw new Error(`${name} of src/${file}: give its room a group in site/groups.ts`)
  return group
}

const PROJECT: readonly string[] = ['CHANGELOG.md', 'CONTRIBUTING.md', 'RELEASING.md', 'SECURITY.md']

/** The groups of the pages of a site. */
export interface Guides {
  /** Those that the README's table of documents has, in its order. */
  readonly order: readonly string[]
  /** The group of a page, by the part of that table in which it stands. */
  groupOf(file: string): string
}

/** Reads the groups of the pages from the table of documents in the README. */
export function guides(readme: string): Guides {
  const groups = new Map<string, string>()
  let group = 'Guides'
  for (const line of readme.split('\n')) {
    const heading = /^\|\s*\*\*(.+?)\*\*\s*\|\s*\|$/.exec(line)?.[1]
    if (heading !== undefined) group = heading.charAt(0).toUpperCase() + heading.slice(1)
    else if (line.startsWith('|')) for (const [, file = ''] of line.matchAll(/\]\(([^)#]+\.md)[)#]/g)) groups.set(file, group)
  }
  return {
    order: [...new Set(['Guides', ...groups.values()])],
    groupOf(file) {
      if (PROJECT.includes(file)) return 'Project'
      return file.startsWith('docs/decisions/') ? 'Decisions' : groups.get(file) ?? 'Guides'
    },
  }
}

/** The order in which the site shows groups: first what users read, then the parts of the API, last what contributors read. */
export const groupOrder = ({ order }: Guides): string[] => [
  ...order, 'Examples', 'API', 'Client', 'Requests and replies', 'Options', 'Policies', 'Errors', 'Events', 'State',
  'Time and chance', '*', 'Decisions', 'Project',
]

/** A page's first heading, without its marks. */
export function titleOf(content: readonly CommentDisplayPart[]): string | undefined {
  // Code in it is a part of its own.
  return /^# (.+)/.exec(content.map(({ text }) => text).join(''))?.[1]?.replaceAll('`', '')
}
