// A browser without a screen: keeps cookies for each origin, and follows redirects one by one so that a test sees each address.

export interface Visitor {
  fetch(url: string | URL, init?: RequestInit): Promise<Response>;
  /** Follows redirects until an answer is none, or until `stop` says so of the next address; the address where it ended. */
  follow(url: string | URL, stop?: (url: URL) => boolean): Promise<{ url: URL; response: Response | null }>;
  /** Every address that was gone to. */
  visited: string[];
  cookies: Map<string, Map<string, string>>;
}

export function newVisitor(): Visitor {
  const cookies: Visitor['cookies'] = new Map();
  const visited: string[] = [];

  async function visit(address: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(address);
    const jar = cookies.get(url.origin) ?? new Map<string, string>();
    cookies.set(url.origin, jar);
    visited.push(url.href);
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: {
        ...(jar.size > 0 && { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }),
        ...(init.method && init.method !== 'GET' && { origin: url.origin }),
        ...(init.headers as Record<string, string> | undefined),
      },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';', 1);
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  return {
    fetch: visit,
    visited,
    cookies,
    async follow(from, stop = () => false) {
      let url = new URL(from);
      for (let hops = 0; hops < 20; hops++) {
        if (stop(url)) return { url, response: null };
        const response = await visit(url);
        const next = response.headers.get('location');
        if (response.status < 300 || response.status >= 400 || next === null) return { url, response };
        url = new URL(next, url);
      }
      throw new Error(`no end of redirects at ${url.href}`);
    },
  };
}
