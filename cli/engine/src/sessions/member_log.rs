//! What a member said last.

use inventories::HostName;
use remote::{Call, Payload};
use templates::Layout;

use crate::pool::Pool;
use crate::script::call::{Arguments, call};
use crate::script::{self, answer};

/// The end of a member's journal; why there is none, where there is none.
pub(crate) async fn end(pool: &Pool, host: &HostName, layout: &Layout) -> String {
    let read = async {
        let connection = pool.connection(host).await?;
        answer::read(&connection.run(read_journal(layout)).await?)
    };
    match read.await {
        Ok(answer) => answer.body,
        Err(failure) => failure.kind.with_causes(),
    }
}

fn read_journal(layout: &Layout) -> Call {
    let args = Arguments::new().with("unit", layout.unit_name()).with("pod", layout.pod_name());
    call(script::READ_JOURNAL, args, Payload::new())
}
