//! The engine's settings, its clock, and compilation within bounds.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::Component;
use wasmtime::{
    Enabled, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig,
};

use super::check::TABLE_ELEMENTS_MAX;
use super::{Config, Shared};
use crate::error::{Error, Limit};

/// The clock's step: how exactly a deadline is kept.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Core instances in a component: the contract, and the adapters the encoder puts around it.
const CORE_INSTANCES_MAX: u32 = 8;
/// Memory of an instance that stays mapped between calls: the stack and the allocator's arena.
const RESIDENT_BYTES: usize = 4 << 20;
/// Stack of the compiling thread; modules nest deeply.
const COMPILER_STACK_BYTES: usize = 16 << 20;
/// Fuel of one page that memory grows by, beyond the instruction.
const GROW_PAGE_FUEL: u8 = 255;

/// Everything that makes a call's outcome depend on its input alone, and its memory cheap.
pub(super) fn engine(config: &Config) -> wasmtime::Result<wasmtime::Engine> {
    let mut cost = OperatorCost::default();
    cost.variable.memory_grow_per_page = GROW_PAGE_FUEL;
    let mut settings = wasmtime::Config::new();
    settings
        .consume_fuel(true)
        .operator_cost(cost)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .max_wasm_stack(usize::try_from(config.stack_bytes_max).unwrap_or(usize::MAX))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
    wasmtime::Engine::new(&settings)
}

fn pool(config: &Config) -> PoolingAllocationConfig {
    let components = config.calls_max.max(1).saturating_mul(config.call_depth_max.max(1));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(components)
        .total_core_instances(components.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(components)
        .total_tables(components.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(1)
        .max_tables_per_component(2)
        .table_elements(TABLE_ELEMENTS_MAX as usize)
        .max_memory_size(usize::try_from(config.memory_bytes_max).unwrap_or(usize::MAX))
        .max_unused_warm_slots(config.calls_max)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Starts the thread that moves the engine's epoch until the engine is gone.
pub(super) fn tick(engine: &wasmtime::Engine) -> io::Result<()> {
    let engine = engine.weak();
    let clock = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("wasm-clock".to_owned()).spawn(clock).map(drop)
}

/// Compiles on a thread of its own. A module that takes too long is given up; its size is bounded,
/// so the thread ends by itself, and until then nothing else compiles.
pub(super) fn component(shared: &Shared, bytes: Bytes) -> Result<Component, Error> {
    let Config { compile_deadline, .. } = shared.config;
    let (engine, compiler) = (shared.engine.clone(), Arc::clone(&shared.compiler));
    let (done, result) = mpsc::sync_channel(1);
    let compile = move || {
        let _alone = compiler.lock();
        // The receiver may have given up.
        let _ = done.send(Component::new(&engine, &bytes));
    };
    thread::Builder::new()
        .name("wasm-compiler".to_owned())
        .stack_size(COMPILER_STACK_BYTES)
        .spawn(compile)
        .map_err(|e| Error::Host(format!("start Wasm compiler: {e}")))?;
    match result.recv_timeout(compile_deadline) {
        Ok(compiled) => compiled.map_err(|e| Error::Module(format!("{e:#}"))),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Error::Module("the compiler cannot handle it".to_owned()))
        }
        Err(mpsc::RecvTimeoutError::Timeout) => {
            let value = u64::try_from(compile_deadline.as_millis()).unwrap_or(u64::MAX);
            Err(Error::Limit(Limit { name: "compile_deadline_ms", value }))
        }
    }
}
