import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { findProgram, programMissing } from './programs.ts'

/** Why tests in a browser cannot run here, for node:test's `skip`; false where they can. In CI they must. */
export const browserMissing = (): string | false => (process.env['CI'] === 'true' ? false : programMissing('chromium'))

/** Starts a real browser without a screen. Closing it ends its processes. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = findProgram('chromium')
  if (executablePath === undefined) throw new Error(programMissing('chromium') || 'chromium')
  // Root may not have the sandbox; what is shown here is ours.
  return puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })
}

/** What a page did that a page of ours never should. */
export interface Offences {
  /** What it wrote to the console as an error or warning, and what it threw. */
  readonly errors: readonly string[]
  /** What it asked for besides itself. */
  readonly requests: readonly string[]
}

/** Begins to note what a page does; to be called before it is opened. */
export function watch(page: Page): Offences {
  const errors: string[] = []
  const requests: string[] = []
  page.on('console', message => { if (message.type() === 'error' || message.type() === 'warn') errors.push(message.text()) })
  page.on('pageerror', error => { errors.push(String(error)) })
  page.on('request', request => { if (!request.isNavigationRequest()) requests.push(request.url()) })
  return { errors, requests }
}
