// The one WebSocket: what the person sees comes in, what they do goes out.

const FIRST_WAIT = 250;
const LONGEST_WAIT = 2000;
const LOST = "The connection was lost; the page cannot tell whether it was done.";

export type Status = "connecting" | "open" | "lost" | "locked";

interface Waiting {
  resolve: (result: any) => void;
  reject: (error: Error) => void;
}

export class Feed {
  private socket: WebSocket | null = null;
  private waiting = new Map<number, Waiting>();
  private last = 0;
  private wait = FIRST_WAIT;

  constructor(
    private onNews: (news: any) => void,
    private onStatus: (status: Status) => void,
  ) {}

  connect(): void {
    const socket = new WebSocket(`ws://${location.host}/page`);
    socket.onopen = () => {
      this.socket = socket;
      this.wait = FIRST_WAIT;
      this.onStatus("open");
    };
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = () => void this.lose();
  }

  /** Tell the server something that has no answer; it is dropped while there is no connection. */
  tell(what: object): void {
    this.socket?.send(JSON.stringify(what));
  }

  ask(what: object): Promise<any> {
    if (!this.socket) return Promise.reject(new Error("There is no connection; nothing was done."));
    const id = ++this.last;
    this.tell({ ...what, id });
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  private take(news: any): void {
    if (news.kind !== "reply") return this.onNews(news);
    const waiting = this.waiting.get(news.id);
    this.waiting.delete(news.id);
    if (news.error) waiting?.reject(new Error(news.error));
    else waiting?.resolve(news.result);
  }

  private async lose(): Promise<void> {
    this.socket = null;
    for (const one of this.waiting.values()) one.reject(new Error(LOST));
    this.waiting.clear();
    this.onStatus((await isLocked()) ? "locked" : "lost");
    setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }
}

/** Whether another server answers here, which wants another secret. */
async function isLocked(): Promise<boolean> {
  try {
    return (await fetch("/app.css", { method: "HEAD" })).status === 403;
  } catch {
    return false;
  }
}
