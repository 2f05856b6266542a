import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { startServer, type TestServer } from '../support/server.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml',
}

/** Serves files, by their path. */
export const serve = (read: (file: string) => Promise<string | Buffer>): Promise<TestServer> =>
  startServer(async ({ url = '/' }, response) => {
    const file = decodeURIComponent(new URL(url, 'http://localhost').pathname).slice(1)
    const body = await read(file.endsWith('/') || file === '' ? `${file}index.html` : file).catch(() => undefined)
    const type = TYPES[path.extname(file)] ?? 'text/html'
    // Scripts and styles are the same on every page.
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type, 'cache-control': 'max-age=600' }).end(body)
  })

/** Serves a folder. */
export const serveFolder = (folder: string): Promise<TestServer> => serve(file => readFile(path.join(folder, file)))
