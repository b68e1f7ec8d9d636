//! The static order of tasks, which is also their priority.
//!
//! It aims at what Dask's `dask.order` aims at (see the module text of `dask/order.py`): finish what was begun before
//! beginning anew, so that few results are held at a time. The algorithm is a depth-first post-order from the outputs,
//! inputs in their order, with *eager release*: as soon as all inputs of a task are there and running it frees at least
//! as many bytes as it makes, it comes next, wherever in the graph it is. It runs in time linear in tasks and inputs,
//! and ties are broken by the tasks' old numbers, so the order is a function of the graph alone.

/// Tasks as flat columns: inputs of task `t` are `inputs[starts[t]..starts[t + 1]]`, all of them below `t`.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    /// Where each task's inputs start, and the end.
    pub starts: &'a [u32],
    /// Input tasks.
    pub inputs: &'a [u32],
}

impl Graph<'_> {
    fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn inputs(&self, t: u32) -> &[u32] {
        &self.inputs[self.starts[t as usize] as usize..self.starts[t as usize + 1] as usize]
    }
}

struct State<'a, F> {
    graph: Graph<'a>,
    bytes: F,
    /// Dependents of `t` are `dependents[first[t]..first[t + 1]]`, ascending.
    first: Vec<u32>,
    dependents: Vec<u32>,
    /// Inputs that are not in the order yet.
    waiting: Vec<u32>,
    /// Dependents that are not in the order yet.
    uses: Vec<u32>,
    done: Vec<bool>,
    order: Vec<u32>,
    /// Tasks that became ready, or the last user of an input; the next on top.
    candidates: Vec<u32>,
}

/// Tasks that `roots` need, in static order. `bytes` is the size of a task's result; unknown sizes (0) count as one
/// byte.
pub fn order(graph: Graph<'_>, bytes: impl Fn(u32) -> u64, roots: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let n = graph.len();
    let roots: Vec<u32> = roots.into_iter().collect();
    let mut needed = vec![false; n];
    roots.iter().for_each(|&r| needed[r as usize] = true);
    let mut count = 0usize;
    let mut first = vec![0u32; n + 1];
    for t in (0..n as u32).rev() {
        if needed[t as usize] {
            count += 1;
            for &i in graph.inputs(t) {
                needed[i as usize] = true;
                first[i as usize + 1] += 1;
            }
        }
    }
    for t in 0..n {
        first[t + 1] += first[t];
    }
    let mut fill = first.clone();
    let mut dependents = vec![0u32; first[n] as usize];
    let mut waiting = vec![0u32; n];
    for t in 0..n as u32 {
        if needed[t as usize] {
            let inputs = graph.inputs(t);
            waiting[t as usize] = inputs.len() as u32;
            for &i in inputs {
                dependents[fill[i as usize] as usize] = t;
                fill[i as usize] += 1;
            }
        }
    }
    drop(fill);
    let uses = (0..n).map(|t| first[t + 1] - first[t]).collect();
    let mut state = State {
        graph,
        bytes: |t| bytes(t).max(1),
        first,
        dependents,
        waiting,
        uses,
        done: vec![false; n],
        order: Vec::with_capacity(count),
        candidates: vec![],
    };
    let mut stack: Vec<(u32, u32)> = vec![];
    for r in roots {
        stack.push((r, 0));
        while let Some((t, at)) = stack.last_mut() {
            let t = *t;
            if state.done[t as usize] {
                stack.pop();
                continue;
            }
            let inputs = graph.inputs(t);
            let mut next = *at as usize;
            while next < inputs.len() && state.done[inputs[next] as usize] {
                next += 1;
            }
            *at = next as u32;
            match inputs.get(next) {
                Some(&i) => stack.push((i, 0)),
                None => {
                    stack.pop();
                    state.emit(t);
                    state.release();
                }
            }
        }
    }
    state.order
}

impl<F: Fn(u32) -> u64> State<'_, F> {
    fn dependents(&self, t: u32) -> std::ops::Range<usize> {
        self.first[t as usize] as usize..self.first[t as usize + 1] as usize
    }

    /// Puts a task into the order, and notes which others may follow at once.
    fn emit(&mut self, t: u32) {
        self.done[t as usize] = true;
        self.order.push(t);
        let graph = self.graph;
        for &i in graph.inputs(t) {
            self.uses[i as usize] -= 1;
            if self.uses[i as usize] == 1 {
                // Its last user frees it.
                let last = self.dependents(i).map(|d| self.dependents[d]).find(|&d| !self.done[d as usize]);
                self.candidates.extend(last.filter(|&d| self.waiting[d as usize] == 0));
            }
        }
        for d in self.dependents(t).rev() {
            let d = self.dependents[d];
            self.waiting[d as usize] -= 1;
            if self.waiting[d as usize] == 0 {
                self.candidates.push(d);
            }
        }
    }

    fn release(&mut self) {
        while let Some(t) = self.candidates.pop() {
            if !self.done[t as usize] && self.frees(t) {
                self.emit(t);
            }
        }
    }

    /// Whether running a task frees at least what it makes.
    fn frees(&self, t: u32) -> bool {
        let inputs = self.graph.inputs(t);
        let last = inputs.iter().filter(|&&i| self.uses[i as usize] == 1);
        last.map(|&i| (self.bytes)(i)).fold(0u64, u64::saturating_add) >= (self.bytes)(t)
    }
}

/// The most bytes that are held at once when tasks run in this order, one at a time, and the most results. A result is
/// dropped when its last dependent has run; results without dependents are taken away at once.
pub fn peak(graph: Graph<'_>, bytes: impl Fn(u32) -> u64, order: &[u32]) -> (u64, usize) {
    let mut uses = vec![0u32; graph.len()];
    order.iter().for_each(|&t| graph.inputs(t).iter().for_each(|&i| uses[i as usize] += 1));
    let (mut held, mut results) = (0u64, 0usize);
    let (mut most, mut most_results) = (0, 0);
    for &t in order {
        held += bytes(t);
        results += 1;
        most = most.max(held);
        most_results = most_results.max(results);
        let mut drop = |t: u32| {
            held -= bytes(t);
            results -= 1;
        };
        for &i in graph.inputs(t) {
            uses[i as usize] -= 1;
            if uses[i as usize] == 0 {
                drop(i);
            }
        }
        if uses[t as usize] == 0 {
            drop(t);
        }
    }
    (most, most_results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn csr(tasks: &[Vec<u32>]) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0];
        let mut inputs = vec![];
        for t in tasks {
            inputs.extend(t);
            starts.push(inputs.len() as u32);
        }
        (starts, inputs)
    }

    #[test]
    fn a_user_that_frees_its_inputs_comes_at_once() {
        // 0 and 1 are used by 2 and 3; 4 joins 2 with 5, and only then asks for 3.
        let (starts, inputs) = csr(&[vec![], vec![], vec![0, 1], vec![0, 1], vec![], vec![2, 4, 3]]);
        let graph = Graph { starts: &starts, inputs: &inputs };
        assert_eq!(order(graph, |t| if t < 2 { 100 } else { 8 }, [5]), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_no_output_needs_is_left_out() {
        let (starts, inputs) = csr(&[vec![], vec![0], vec![0], vec![]]);
        assert_eq!(order(Graph { starts: &starts, inputs: &inputs }, |_| 1, [2]), [0, 2]);
    }

    proptest! {
        #[test]
        fn inputs_come_first(
            picks in proptest::collection::vec(proptest::collection::vec(any::<u32>(), 0..4), 1..80),
            sizes in proptest::collection::vec(0u64..9, 80),
        ) {
            let tasks: Vec<Vec<u32>> = picks
                .iter()
                .enumerate()
                .map(|(t, p)| if t == 0 { vec![] } else { p.iter().map(|i| i % t as u32).collect() })
                .collect();
            let (starts, inputs) = csr(&tasks);
            let graph = Graph { starts: &starts, inputs: &inputs };
            let order = order(graph, |t| sizes[t as usize], 0..tasks.len() as u32);
            prop_assert_eq!(order.len(), tasks.len());
            let mut at = vec![usize::MAX; tasks.len()];
            order.iter().enumerate().for_each(|(k, &t)| at[t as usize] = k);
            for (t, of) in tasks.iter().enumerate() {
                prop_assert!(of.iter().all(|&i| at[i as usize] < at[t]));
            }
        }
    }
}
