import type { Browser, Page } from 'puppeteer-core'

/** What a crawl saw. */
export interface Crawl {
  /** The pages that it opened, as paths. */
  readonly pages: readonly string[]
  /** What is wrong, each with the page on which it was seen first. */
  readonly problems: readonly string[]
}

interface Look {
  readonly links: readonly string[]
  readonly ids: readonly string[]
  /** Pictures that are not shown. */
  readonly missing: readonly string[]
}

/** What is looked for on a page; as text, for it is another world there. */
const LOOK = `({
  links: [...document.querySelectorAll('a[href], area[href]')].map(link => link.href),
  ids: [...document.querySelectorAll('[id], a[name]')].flatMap(({ id, name }) => [id, name].filter(Boolean)),
  missing: [...document.images].filter(image => !image.complete || image.naturalWidth === 0).map(image => image.src),
})`

/** What a reader should be shown as a page, not as a file. */
const RAW = /\.(md|ts|json|yml)$/
const TABS = 4

/**
 * Opens every page that can be reached from the front page of a site, in a real browser, and follows each link of each page.
 *
 * @param ready - an expression that is true in a page once its scripts have added their links to it
 */
export async function crawl(browser: Browser, origin: string, ready = 'true'): Promise<Crawl> {
  const found = new Findings(origin)
  const tab = async (): Promise<void> => {
    const page = await browser.newPage()
    found.watch(page)
    for (let url = found.next(); url !== undefined; url = found.next()) await open(page, url)
    await page.close()
  }
  const open = async (page: Page, url: string): Promise<void> => {
    const response = await page.goto(url, { waitUntil: 'load' })
    if (response?.ok() !== true) return
    // A tab that is not in front draws nothing: the frames that are waited for by default never come.
    await page.waitForFunction(ready, { timeout: 10_000, polling: 10 }).catch(() => { found.complain(url, 'is never ready') })
    found.saw(url, await page.evaluate(LOOK) as Look)
  }
  // One page first: the others have nothing to do before it is read.
  while (found.waiting > 0) await Promise.all(Array.from({ length: Math.min(TABS, found.waiting) }, tab))
  await found.follow()
  return { pages: found.pages, problems: found.problems }
}

class Findings {
  readonly #origin: string
  readonly #queue: string[]
  readonly #known: Set<string>
  readonly #ids = new Map<string, ReadonlySet<string>>()
  /** Links by where they lead, with the page on which each was seen first. */
  readonly #links = new Map<string, string>()
  readonly #problems = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
    this.#queue = [`${origin}/index.html`]
    this.#known = new Set(this.#queue)
  }

  get waiting(): number {
    return this.#queue.length
  }

  get pages(): string[] {
    return [...this.#ids.keys()].map(url => this.#pathOf(url)).sort()
  }

  get problems(): string[] {
    return [...this.#problems].map(([what, page]) => `${page}: ${what}`).sort()
  }

  next(): string | undefined {
    return this.#queue.shift()
  }

  complain(url: string, what: string): void {
    if (!this.#problems.has(what)) this.#problems.set(what, this.#pathOf(url))
  }

  /** Notes what a page asks for and complains of, besides what it shows. */
  watch(page: Page): void {
    const complain = (what: string): void => { this.complain(page.url(), what) }
    page.on('console', message => { if (message.type() === 'error' || message.type() === 'warn') complain(message.text()) })
    page.on('pageerror', error => { complain(String(error)) })
    page.on('response', response => {
      // A page that is missing is found by the links to it.
      if (response.status() >= 400 && !response.request().isNavigationRequest()) complain(`no ${this.#pathOf(response.url())}`)
    })
    page.on('request', request => {
      if (!request.url().startsWith(this.#origin) && !request.url().startsWith('data:')) complain(`asks for ${request.url()}`)
    })
  }

  saw(url: string, { links, ids, missing }: Look): void {
    this.#ids.set(url, new Set(ids))
    for (const picture of missing) this.complain(url, `missing picture ${this.#pathOf(picture)}`)
    for (const link of links) {
      if (!link.startsWith(`${this.#origin}/`)) continue
      if (!this.#links.has(link)) this.#links.set(link, url)
      const [page = ''] = link.split('#')
      if (!page.endsWith('.html') || this.#known.has(page)) continue
      this.#known.add(page)
      this.#queue.push(page)
    }
  }

  /** Looks where the links lead, once all pages are known. */
  async follow(): Promise<void> {
    for (const [link, from] of this.#links) {
      const [target = '', anchor] = link.split('#')
      const ids = this.#ids.get(target.endsWith('/') ? `${target}index.html` : target)
      if (ids === undefined) await this.#followFile(target, from)
      else if (anchor !== undefined && anchor !== '' && !ids.has(decodeURIComponent(anchor))) {
        this.complain(from, `dead link to ${this.#pathOf(link)}: there is no such place on the page`)
      }
    }
  }

  async #followFile(target: string, from: string): Promise<void> {
    const { ok } = await fetch(target)
    if (!ok) this.complain(from, `dead link to ${this.#pathOf(target)}`)
    else if (RAW.test(target)) this.complain(from, `link to the raw file ${this.#pathOf(target)}`)
  }

  #pathOf(url: string): string {
    return url.startsWith(this.#origin) ? url.slice(this.#origin.length + 1) : url
  }
}
