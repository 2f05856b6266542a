import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import {
  Application, Comment, CommentTag, Converter, DocumentReflection, KindRouter, type CommentDisplayPart, type Context,
  type ProjectReflection, type Reflection,
} from 'typedoc'
import { groupOf, groupOrder, guides, titleOf } from './groups.ts'
import { codeInHeadings, type Markdown } from './headings.ts'

/*
 * What the site needs beyond TypeDoc's own options: guides under their titles and in the groups of the README's table, examples
 * as pages instead of raw files, and the exports of the core grouped by the room of src/ that they are defined in.
 */

const ROOT = path.resolve(import.meta.dirname, '..')

/** Called by TypeDoc, which reads the name of this function. */
export function load(app: Application): void {
  const pages = guides(readFileSync(path.join(ROOT, 'README.md'), 'utf8'))

  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_: Context | undefined, page: DocumentReflection) => {
    page.name = titleOf(page.content) ?? page.name
    page.frontmatter['group'] ??= pages.groupOf(fileOf(page))
  })

  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }: Context) => {
    addExamples(project)
    groupExports(project)
  })

  app.on(Application.EVENT_BOOTSTRAP_END, () => {
    app.options.setValue('groupOrder', groupOrder(pages))
    app.options.setValue('markdownItLoader', (parser: Markdown) => { parser.core.ruler.push('code in headings', codeInHeadings) })
  })

  app.renderer.defineRouter('pages', class extends KindRouter {
    protected override getIdealBaseName(target: Reflection): string {
      return target.isDocument() ? `pages/${nameOf(fileOf(target))}` : super.getIdealBaseName(target)
    }
  })
}

/** A link to an example would lead to a raw file, which a browser offers to save. */
function addExamples(project: ProjectReflection): void {
  const folder = path.join(ROOT, 'examples')
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.ts')) continue
    const code = `\`\`\`ts\n${readFileSync(path.join(folder, file), 'utf8')}\`\`\``
    const content: CommentDisplayPart[] = [{ kind: 'text', text: `# ${file}\n\n` }, { kind: 'code', text: code }]
    const page = new DocumentReflection(file, project, content, { group: 'Examples' })
    project.addChild(page)
    project.registerReflection(page, undefined, path.join(folder, file) as Parameters<typeof project.registerReflection>[2])
  }
}

function groupExports(project: ProjectReflection): void {
  for (const entry of project.children ?? []) {
    setGroup(entry, 'API')
    if (entry.name !== 'breakwater') continue
    for (const reflection of entry.children ?? []) {
      const file = project.getSymbolIdFromReflection(reflection)?.packagePath.replace(/^src\//, '') ?? ''
      setGroup(reflection, groupOf(file, reflection.name))
    }
  }
}

function setGroup(reflection: Reflection, group: string): void {
  reflection.comment ??= new Comment()
  reflection.comment.blockTags.push(new CommentTag('@group', [{ kind: 'text', text: group }]))
}

const fileOf = (page: DocumentReflection): string =>
  path.relative(ROOT, page.project.files.getReflectionPath(page) ?? page.name).replaceAll(path.sep, '/')

/** `docs/decisions/README.md` becomes `decisions`, `docs/errors.md` becomes `errors`. */
const nameOf = (file: string): string => file.replace(/^docs\//, '').replace(/\/README\.md$|\.\w+$/, '').toLowerCase()
