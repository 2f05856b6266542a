/** What is used of markdown-it, which TypeDoc renders with. */
export interface Markdown {
  readonly core: { readonly ruler: { push(name: string, rule: (state: State) => void): void } }
}

interface State {
  readonly tokens: readonly Token[]
  readonly Token: new (type: string, tag: string, nesting: number) => Token
}

interface Token {
  readonly type: string
  content: string
  children: Token[] | null
}

/**
 * Writes code in a heading as text between tags. TypeDoc makes the anchor of a heading, and its line in the table of contents, of
 * its text alone: those of "## `retry`" would be `#_` and empty.
 */
export function codeInHeadings({ tokens, Token }: State): void {
  const made = (type: string, content: string): Token => Object.assign(new Token(type, '', 0), { content })
  for (const [index, { type }] of tokens.entries()) {
    const heading = tokens[index + 1]
    if (type !== 'heading_open' || !heading?.children) continue
    heading.children = heading.children.flatMap(token => token.type !== 'code_inline' ? [token] : [
      made('html_inline', '<code>'), made('text', token.content), made('html_inline', '</code>'),
    ])
  }
}
