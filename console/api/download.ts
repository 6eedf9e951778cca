// Saves an answer as a file. A plain link could not name the account.
import { toastProblem } from '../ui/toast.tsx';
import { accountHeader, request } from './client.ts';

export async function download(address: string, name: string): Promise<void> {
  try {
    const response = await request(address, { headers: accountHeader() });
    const url = URL.createObjectURL(await response.blob());
    const link = document.createElement('a');
    link.href = url;
    link.download = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    toastProblem(error as Error);
  }
}
