import { render } from "preact";
import { App } from "./app";
import { store } from "./store";
import "./style/page.css";
import "./style/message.css";
import "./style/dialog.css";
import "./style/panel.css";

store.start();
render(<App />, document.body);
